"""Writes docs/faults.md: the faults that are provoked, what happens, and how the tests of each went.

pytest -m "not shown and not slurm" --junitxml=tests.xml; python docs/faults.py tests.xml
"""

import sys
import xml.etree.ElementTree as xml
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent

# The fault, what happens, the functions that provoke it, without their `test_`.
FAULTS: Sequence[tuple[str, str, str]] = (
    ("unknown loss, sampler, task, energy, format", "2, the nearest name and the list",
     "wrong_turns_end_with_a_sentence_and_exit_code_2 "
     "bad_values_are_answered_with_a_sentence"),
    ("`--lr nan`, `inf`, `-1`, `1e-400`; `--margin nan`", "2, one line with the range",
     "bad_values_are_answered_with_a_sentence"),
    ("`--steps 5.0`, `0`, `10**22`", "2",
     "bad_values_are_answered_with_a_sentence"),
    ("experiment file: unknown or double key, wrong type, BOM, empty, a folder, not UTF-8",
     "2 with file, line and key; nothing is created",
     "faults_of_a_file_name_file_line_and_key "
     "what_is_no_file_of_a_sane_size "
     "wrong_turns_end_with_a_sentence_and_exit_code_2"),
    ("a grid with duplicates, with an empty list, of a million cells",
     "duplicates dropped with a note; 2; refused without `--yes`",
     "lists_and_ranges_multiply_and_duplicates_are_dropped "
     "bad_values_are_answered_with_a_sentence "
     "a_grid_of_a_million_cells_is_refused_with_its_size"),
    ("seeds `0,0`, negative, above 2^32", "2",
     "bad_values_are_answered_with_a_sentence"),
    ("kill -9 of a worker", "those of its launch are `killed`, the rest goes on, 3; the same command runs only them",
     "a_killed_worker_costs_its_launch_and_the_next_command_runs_only_that"),
    ("kill -9 of the parent", "the worker ends within 2 s; the same command goes on, nothing to unlock",
     "a_worker_dies_with_its_parent_within_two_seconds "
     "twenty_kills_of_parent_or_worker_and_the_same_command_after_each "
     "kill_9_and_ctrl_c_lose_nothing "
     "the_kernel_frees_the_lock_of_a_killed_process"),
    ("death, ENOSPC or EIO between any two system calls of the write path",
     "the same command: every cell once, the report byte-equal",
     "a_death_or_an_error_at_any_point_of_the_write_path_loses_and_doubles_nothing "
     "the_same_of_the_real_command"),
    ("Ctrl-C, once and twice", "once: the chunk ends, the table, 130; twice: at once, the store intact",
     "kill_9_and_ctrl_c_lose_nothing "
     "a_second_signal_ends_at_once_and_leaves_the_store_intact"),
    ("SIGTERM, SIGHUP, `ebm report \\| head`", "as Ctrl-C; no traceback",
     "sigterm_and_sighup_end_after_the_chunk_with_the_table "
     "a_plain_locale_and_a_closed_pipe_do_no_harm"),
    ("two sweeps on one folder", "the second says so and waits; no cell twice",
     "a_second_sweep_waits_for_the_first_and_runs_no_cell_twice"),
    ("another grid into the same folder", "a superset extends it; any other is refused with the keys that differ",
     "the_same_plan_again_does_nothing_and_a_new_seed_runs_only_itself "
     "a_conflicting_plan_is_refused_and_says_where_it_differs"),
    ("disk full (a tmpfs of 256 KiB)", "1, one line names the file; after room is made the same command goes on",
     "a_full_disk_is_named_and_after_room_is_made_the_same_command_goes_on"),
    ("folder read-only, removed or moved in a sweep", "1, one line; a moved sweep goes on where it is",
     "a_read_only_folder_is_one_line "
     "a_folder_that_goes_away_in_a_sweep_is_one_line_and_a_moved_one_goes_on"),
    ("a record cut at any byte, with a flipped bit, zeros, JSON of another type",
     "`damaged`, set aside, run again; the report comes and counts it",
     "whatever_is_cut_or_corrupted_nothing_breaks_and_the_cell_is_run_again "
     "the_report_of_a_damaged_sweep_comes_and_counts_it "
     "a_damaged_result_is_no_result "
     "a_damaged_manifest_is_a_sentence"),
    ("a record of a newer version, of an older one", "newer: read as far as known, never written; older: read",
     "a_sweep_of_the_first_schema_is_read_reported_extended_and_not_run_again "
     "a_newer_record_is_read_and_a_newer_sweep_never_written"),
    ("a loss that raises, of a wrong shape; that diverges", "`failed` or `diverged` with the step; the rest goes on",
     "losses_that_raise_or_return_a_wrong_shape_fail_alone "
     "divergence_is_a_result_with_its_step_and_leaves_the_neighbour_alone"),
    ("a run that never ends, takes all memory, crashes the process",
     "`timeout`, `oom`, `crashed` with the signal; tried once more alone; the rest goes on",
     "a_crash_a_hang_and_a_lack_of_memory_are_named_tried_again_once_and_the_rest_goes_on "
     "the_first_failure_ends_a_sweep_that_is_told_so"),
    ("words of the test set in training; one seed for training and test",
     "never: a test word is drawn again, keys are apart",
     "training_draws_every_word_but_those_of_the_test_set "
     "draws_are_pieces_of_all_training_words_and_of_no_test_word "
     "draws_are_all_training_words_and_no_test_word "
     "no_key_of_test_data_is_one_of_a_run"),
    ("a margin that grows with the letters, counted as that of one", "`gap ≥ m` counts all wrong letters or edits",
     "a_gap_is_kept_where_it_reaches_the_margin_of_all_wrong_letters "
     "measures_of_a_reader_that_is_known"),
    ("`--beta 3` beside defaults made for 1", "`alpha` and the steps of Langevin chains follow beta; what is set wins",
     "the_penalty_and_the_steps_of_chains_follow_beta "
     "by_default_a_chain_at_beta_is_the_chain_of_beta_times_the_energy"),
    ("skew measures whose rows spread by different factors", "compared by logarithms, and the report says so",
     "skew_rows_of_unequal_spread_are_seldom_ranked "
     "positive_values_that_span_decades_are_compared_as_ratios"),
    ("a finite loss with a slope that is no number", "`diverged` with the step",
     "a_finite_loss_with_a_slope_that_is_no_number_ends_the_run"),
    ("parameters of an earlier attempt beside a new one", "cleared",
     "nothing_of_an_earlier_attempt_is_left_when_a_run_begins_again"),
    ("clock set back; two runs in one moment", "durations are monotonic; ids are not made of time",
     "a_clock_that_is_set_back_changes_no_duration "
     "ids_are_not_made_of_time_and_two_folders_of_one_moment_differ"),
    ("no git, no repository, dirty tree", "the provenance says so",
     "provenance_without_git_outside_a_repository_and_of_a_dirty_tree"),
    ("code or machine changed between two halves", "a warning at the top of the report",
     "code_that_changed_between_two_halves_is_warned_of "
     "mixed_provenance_is_warned_of"),
    ("report of an empty sweep, one seed, equal seeds, all failed; names with a pipe, `=1+1`, `<script>`",
     "no nan, escaped, twice the same bytes",
     "an_empty_an_all_failed_and_an_all_refused_sweep_have_a_report "
     "a_report_is_the_same_twice_and_has_no_nan "
     "one_seed_has_no_rank_and_the_best_of_others_is_not_called_so "
     "text_stays_text_in_markdown_and_latex "
     "csv_has_a_line_a_row_with_bounds_and_runs_and_no_formulas"),
    ("no terminal, a plain locale, `--json` with progress", "no control codes; JSON alone on stdout",
     "output_without_a_terminal_has_no_control_codes "
     "a_plain_locale_and_a_closed_pipe_do_no_harm "
     "json_alone_is_on_stdout_and_its_records_have_the_promised_keys"),
    ("no home, spaces in paths, unknown XLA flags, no GPU, a broken plugin", "one line each; the plugin is skipped",
     "jax_that_does_not_start_is_one_line "
     "a_home_that_is_not_there_spaces_in_paths_and_a_broken_plugin"),
    ("SIGHUP under nohup, SIGINT in a script's background (F1)", "what the caller ignores stays ignored",
     "what_the_caller_ignores_stays_ignored "
     "nohup_a_full_stdout_a_closed_stderr_and_a_user_s_jax_change_nothing"),
    ("Ctrl-C while ebm is imported", "130, not a word",
     "ctrl_c_among_imports_is_a_silent_130"),
    ("stdout or stderr closed, full, a pipe that nobody reads (F2, F3)",
     "training goes on and its exit code is that of the training; a result that was asked for cannot be printed: 1, "
     "one line",
     "nohup_a_full_stdout_a_closed_stderr_and_a_user_s_jax_change_nothing "
     "a_signal_is_heeded_where_nobody_reads_what_is_said_of_it "
     "a_result_that_cannot_be_printed_is_a_fault_and_a_message_is_none "
     "a_result_is_a_fault_once_and_a_message_never "
     "a_reader_in_no_hurry_gets_all_of_it "
     "training_goes_well_where_its_table_cannot_be_printed_but_not_its_json "
     "a_file_never_gets_the_number_of_a_stream_that_was_closed"),
    ("jax configured by its user: x64, random numbers, promotion, precision, checks, no jit (F4, F5)",
     "the same figures to the bit, in workers and in notebooks",
     "nohup_a_full_stdout_a_closed_stderr_and_a_user_s_jax_change_nothing "
     "all_are_set_back "
     "an_energy_is_the_same_in_every_notebook "
     "arrays_of_jax_have_the_types_of_our_programs"),
    ("XLA_FLAGS and what else cannot be pinned", "recorded, warned of in a mixed report, named by `--repeat`",
     "variables_that_may_change_figures_are_recorded_and_no_others "
     "runs_of_other_variables_are_warned_of_in_one_report"),
    ("a loss that is not what it declares: margin, value on a flat energy, bound, distance, beta, q, K, optimum",
     "`ebm check`: 3, a sentence for each law that it breaks; overflow and kinks far away are warnings",
     "a_wrong_loss_is_noticed_by_the_law_that_it_breaks "
     "a_right_loss_of_another_shape_is_not_accused "
     "ours_are_as_they_declare "
     "of_eighty_one_wrong_losses_all_are_noticed_and_of_thirty_one_right_ones_none_is "
     "what_is_not_as_declared_is_exit_code_3_with_a_sentence_and_a_warning_is_not"),
    ("a loss that raises, branches on a value, is no scalar or no number, under `ebm check`",
     "3, a sentence with the reason", "a_loss_that_fails_is_a_fault_with_its_reason"),
    ("a jax that does not start, under `ebm check`", "1, one line; no loss is blamed",
     "no_loss_is_blamed_for_a_jax_that_does_not_start"),
    ("`python -OO`, `PYTHONOPTIMIZE=2` (F6)", "formulas and help come from the source",
     "formulas_and_help_are_there_without_docstrings"),
    ("a matplotlibrc with usetex, other sizes, unknown keys, no text (F11); MPLBACKEND unknown or of a notebook (F12)",
     "the same picture to the byte; where matplotlib does not start, no picture, and a line says why",
     "settings_of_the_user_change_no_byte_and_stay "
     "a_matplotlibrc_and_a_backend_of_any_kind"),
    ("a file system without locks (F30)", "1, one line with the file and the advice of `ebm doctor`",
     "a_file_system_without_locks_is_one_sentence"),
    ("the system refuses threads or processes", "1, one line; no run is blamed",
     "threads_and_processes_that_the_system_refuses_are_one_sentence "
     "no_run_is_blamed_for_a_thread_that_its_engine_was_refused "
     "a_worker_that_died_for_lack_of_threads_says_so"),
    ("a full disk or quota", "1, one line with the file and what to do",
     "a_full_disk_is_named_with_what_to_do"),
    ("installed inside another project, in a hook of another repository", "the commit of another project is never ours",
     "the_commit_of_another_project_is_never_ours "
     "a_repository_that_the_environment_names_is_not_looked_at"),
    ("a folder of compiled programs that others may write, replace or own; damage in it",
     "not used, and a line says why; a damaged program is named, removed and compiled anew",
     "one_that_others_may_write_is_not_used "
     "one_that_anybody_may_put_another_in_the_place_of_is_not_used "
     "one_of_another_user_is_not_used_through_a_link_neither "
     "a_folder_that_cannot_be_made_is_said "
     "damage_is_named_removed_and_compiled_anew "
     "a_pipe_in_the_place_of_a_program_is_not_waited_for "
     "a_full_disk_keeps_no_program_and_harms_none"),
    ("`--output`: `-`, a pipe, a device, `>(...)`, a link, a descriptor (F8)", "written through, or through the link",
     "pipes_devices_and_descriptors_are_written_through "
     "links_are_followed_also_to_what_is_not_there_yet "
     "commands_write_to_stdout_and_say_nothing_else_there "
     "the_suffix_or_the_option_says_the_format"),
    ("`--output`: a suffix that contradicts or is none, a folder, a name that none has", "2, before anything is done",
     "a_suffix_that_contradicts_or_is_unknown_is_refused "
     "what_cannot_be_an_output_is_a_sentence_before_anything_is_done "
     "a_folder_is_wanted_for_a_format_of_many_files"),
    ("an output that exists, with its mode; the umask (F9)",
     "both are honoured; what cannot be replaced is written in place",
     "a_file_is_replaced_with_its_mode_and_a_new_one_has_that_of_the_umask "
     "a_file_in_a_folder_where_nothing_can_be_replaced_is_written_in_place"),
    ("an error, a full disk while an output is written",
     "1, one line; nothing is left, and what was there is as it was",
     "nothing_is_left_of_an_output_that_failed "
     "a_full_disk_is_one_line_and_nothing_is_left "
     "tensorboard_is_written_aside_and_replaces_its_own_files_alone"),
    ("a pipe, a device, a folder, a terabyte of nothing, a circle of links in the place of any file",
     "not read, not waited for: `damaged`, or 2 and a sentence with the limit",
     "what_is_no_regular_file_of_a_sane_size_is_refused_at_once "
     "a_file_of_the_limit_is_read_and_one_more_byte_is_too_much "
     "a_pipe_that_comes_in_the_place_of_a_file_is_not_waited_for "
     "what_is_no_file_of_a_sane_size "
     "nothing_else_opens_a_file"),
    ("JSON, TOML, arrays that are deep, endless, or fill the memory when unpacked", "`damaged`, or 2",
     "json_that_is_deep_huge_or_no_number_is_refused "
     "faults_of_a_file_name_file_line_and_key "
     "arrays_that_are_damaged_hold_objects_or_would_fill_the_memory_are_refused "
     "arrays_that_unpack_to_too_much_are_not_unpacked"),
    ("ids that are paths; values, curves and arrays of another type or shape",
     "`damaged`, left out of a curve, not drawn",
     "what_is_read_must_have_the_form_of_a_record "
     "an_id_that_leads_out_of_the_folder_is_damage "
     "arrays_of_another_shape_are_not_drawn"),
    ("300 damaged results folders by a grammar, read by every command",
     "no traceback, no hang over 10 s; 0, 2 or 3; nothing there is changed",
     "the_sound_folder_is_read_by_all_commands "
     "a_few_damaged_folders "
     "three_hundred_damaged_folders "
     "a_page_that_is_a_link_out_of_the_folder_replaces_it"),
    ("a file of points that is gone, or another of its name; another folder; a worker elsewhere (F7)",
     "the sweep keeps the file, each run a link: pictures, energies, `--repeat` and the same command go on",
     "pictures_and_energies_need_no_file "
     "a_worker_anywhere_trains_on_the_same_points "
     "the_same_command_goes_on_from_another_folder_or_without_the_file "
     "a_repetition_is_of_the_same_points "
     "a_run_shares_the_file_of_its_sweep_or_has_its_own "
     "a_copy_that_was_changed_stands_for_nothing "
     "a_file_that_changes_between_plan_and_start_is_a_sentence "
     "a_file_is_read_again_when_it_or_the_folder_has_changed "
     "an_experiment_file_means_the_files_beside_it_wherever_it_is_read_from"),
    ("commas in the name of a file (F15)", "they belong to it where such a file is there",
     "commas_belong_to_a_name_where_such_a_file_is_there"),
    ("names of 234 letters, names that differ in a sign or in capitals (F16, F19)",
     "shortened; no two share a page, a picture, an anchor or a label",
     "no_two_texts_share_the_name_of_a_file_on_any_file_system "
     "ids_fit_a_file_system_and_differ "
     "pictures_of_sweeps_of_one_name_lie_side_by_side "
     "equal_names_are_numbered"),
    ("names and records with markup, control characters, bytes that are not UTF-8, `=cmd`, `$x$`, a lone CR (F17, F18)",
     "text in terminal, markdown, LaTeX, HTML, CSV and pictures; repr in messages",
     "what_acts_on_a_terminal_is_an_escape_and_tells_texts_apart "
     "html_has_our_tags_alone_and_says_what_a_browser_may_use "
     "markdown_is_read_as_tables_and_paragraphs_alone "
     "latex_has_our_commands_alone "
     "csv_has_one_line_a_row_for_every_reader_and_no_formula "
     "a_terminal_is_shown_text_alone "
     "a_report_on_a_terminal_is_text_alone "
     "a_page_shows_such_names_as_they_are"),
    ("the folder of a run copied, renamed, linked, or the current one (F10)", "read; or what is missing there is said",
     "the_folder_of_a_run_is_read_wherever_it_lies_and_whatever_it_is_called "
     "a_copy_over_another_run_is_damage_to_that "
     "the_current_folder_is_a_sweep_by_its_own_name "
     "what_is_no_run_is_a_sentence "
     "a_run_is_no_sweep"),
    ("a picture lost, damaged or of something else; a clock that is wrong (F13); a kill or a full disk before it",
     "drawn again by the same command, pages by `ebm report`",
     "pictures_that_were_lost_are_drawn_by_the_same_command "
     "a_picture_is_of_the_measures_arrays_and_curves_that_lie_there "
     "what_cannot_be_drawn_is_a_note_and_a_full_disk_is_not "
     "a_run_without_arrays_keeps_what_picture_it_has "
     "a_page_that_shows_something_else_than_the_runs_is_drawn_again_whatever_the_clock_says "
     "a_death_or_a_full_disk_between_result_and_picture_costs_no_picture"),
    ("tokens and passwords in a command line or an error", "`***` in manifests, records, messages and reports",
     "a_command_is_written_down_without_its_secrets "
     "a_message_is_printed_without_its_secrets "
     "nothing_that_is_written_or_printed_has_them "
     "a_manifest_that_has_one_shows_it_to_nobody "
     "an_error_is_printed_without_them"),
    ("a table that is wider than the terminal, 40 to 200 columns",
     "in parts, key columns first; what is left out is named; no figure is broken",
     "no_line_is_wider_than_the_terminal_and_no_column_is_lost_without_a_word "
     "the_key_columns_of_a_run_are_always_there "
     "prose_is_broken_between_words_and_figures_never "
     "a_word_that_is_wider_than_the_terminal_is_folded"),
    ("the beginning of the names of several runs", "2, with what tells them apart; `ebm show SWEEP/RUN` names one",
     "runs_whose_names_begin_alike_are_told_apart_by_what_differs "
     "a_run_is_found_in_a_sweep_that_is_named"),
    ("a word, a table, a column, a chart, a width that there is not",
     "2, one sentence with the nearest; nothing written",
     "a_near_miss_is_answered_with_what_was_meant "
     "nonsense_is_one_short_sentence "
     "a_wrong_table_or_column_is_one_sentence "
     "wrong_turns_are_one_sentence "
     "wrong_turns_are_one_sentence_and_leave_nothing"),
    ("a CSV file with rows without values, headings of numbers, comments, 1.7e308, 1e-310 (F20 to F22)",
     "2 with the line, whichever it is; or read, and said what for",
     "a_file_that_is_none_is_refused_with_its_line "
     "a_row_is_read_the_same_wherever_it_stands"),
    ("points on a line, outliers, -9999 for missing ones, columns of few values (F23, F24)",
     "a warning on the terminal, in the record and in reports",
     "what_was_decided_for_the_user_is_said "
     "a_gaussian_of_data_on_a_line_is_a_narrow_one_that_sums_to_one"),
    ("rows that repeat a point (F24)", "none is trained on and held out",
     "no_point_is_trained_on_and_held_out"),
    ("points in units of their own", "axes, nll and `load_run().energy` are in these",
     "measures_of_a_known_energy "
     "energies_and_arrays_are_in_the_units_of_the_file "
     "energies_and_arrays_of_points_of_a_file_are_in_its_units"),
    ("a batch that leaves no negatives (F25)", "refused with what to do",
     "a_batch_that_leaves_no_negatives_is_refused_with_what_to_do"),
    ("chains that accept nothing, stand still or leave the box (F31)", "a warning under the table and in the record",
     "what_is_watched_of_chains_tells_steps_that_are_too_small_and_too_large "
     "a_chain_that_is_no_sample_of_the_model_is_warned_of"),
    ("a million units a layer", "`oom` before anything is compiled, with how much it needs; the rest goes on",
     "a_run_that_needs_more_memory_than_there_is_fails_alone_and_says_how_much "
     "what_certainly_does_not_fit_is_refused_with_how_much_it_needs"),
    ("Ctrl-C while a program is compiled", "130 within 2 s; the same command goes on",
     "the_first_signal_ends_what_is_compiled_at_once"),
    ("a grid of 10^12 cells", "2 at once with their number",
     "a_grid_is_counted_by_multiplication_before_a_cell_is_made "
     "what_stands_twice_is_made_once_however_often_it_stands "
     "no_flag_begins_more_than_a_million_runs"),
    ("an option said twice, by its flag or by `--set`, in any command", "a list is merged, anything else is 2 (F14)",
     "an_option_of_every_command_is_a_list_or_is_said_once "
     "a_list_that_is_said_in_parts_is_one_list "
     "a_hyperparameter_is_a_list_however_it_is_said "
     "what_is_one_number_or_stands_twice_is_refused_in_parts_too"),
    ("words of other programs: `--epochs`, `cross-entropy`, `train`, `0-4`, `[losses.hinge]`",
     "2, one sentence with the word that is meant",
     "a_wrong_word_is_answered_with_the_right_one "
     "faults_of_a_file_name_file_line_and_key"),
    ("`--seeds 5`", "one run with seed 5, and a word that it is not five",
     "one_seed_is_no_number_of_seeds "
     "one_seed_of_a_file_is_no_number_of_seeds"),
    ("a plug-in that prints, exits, raises, takes names, streams, folder or signals at import",
     "it is skipped with a sentence and takes nothing with it; stdout is clean (F26, F27)",
     "whatever_it_raises_it_is_skipped_with_a_sentence_and_leaves_nothing_behind "
     "those_beside_one_that_fails_are_loaded "
     "one_that_fails_takes_all_that_it_registered_back "
     "it_cannot_take_a_name_that_is_taken "
     "nothing_that_it_prints_is_on_stdout "
     "what_it_changes_of_the_process_is_put_back "
     "ctrl_c_while_it_is_imported_is_heard "
     "a_list_of_plugins_that_cannot_be_read_is_that_of_a_package_without "
     "one_that_prints_and_exits_beside_a_command_that_prints_json"),
    ("more launches than an array of SLURM holds", "several arrays, cancelled in one call (F28)",
     "more_launches_than_an_array_holds_are_several_arrays_and_cancelled_in_one_call "
     "where_a_later_array_is_refused_the_others_are_cancelled "
     "the_size_of_an_array_is_what_the_cluster_says"),
    ("`--job slurm_account=0123`, lists and tables in `--job`", "0123 stays text; TOML or JSON is read (F29)",
     "a_number_is_one_only_where_it_prints_as_it_is_written "
     "a_table_is_said_as_in_toml_or_json "
     "a_list_is_said_as_in_toml_or_json "
     "what_is_said_stands_in_the_script "
     "a_setting_that_is_none_is_a_sentence_before_anything_is_made"),
    ("Dask without workers, with one that does not see the folder, with a scheduler that goes away",
     "2; 1; 1: one sentence, no run is blamed",
     "no_workers_at_all_is_a_sentence_before_anything_is_made "
     "workers_that_can_do_no_job_are_a_sentence_and_no_job_is_handed_on "
     "a_lost_scheduler_is_a_sentence_and_blames_no_run "
     "that_no_worker_is_left_is_said_once "
     "a_real_scheduler_without_workers_and_one_that_goes_away"),
    ("500 command lines and 300 experiment files by a grammar",
     "0, 2 or 3, soon; at 2 one sentence, nothing is created",
     "a_few_command_lines "
     "a_few_experiment_files "
     "five_hundred_command_lines "
     "three_hundred_experiment_files"),
)  # fmt: skip


Cases = Mapping[str, Sequence[tuple[str, str]]]  # (file, passed or failed or skipped) of each case, by function


def outcomes(paths: Sequence[Path]) -> dict[str, list[tuple[str, str]]]:
    """The cases of each function; of several files of pytest the last that has it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in paths:
        here: dict[str, list[tuple[str, str]]] = {}
        for case in xml.parse(path).getroot().iter("testcase"):
            file, function = case.get("classname", "").rpartition(".")[2], case.get("name", "").partition("[")[0]
            bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
            how = "skipped" if bad == ["skipped"] else "failed" if bad else "passed"
            here.setdefault(function, []).append((file, how))
        found |= here
    return found


def table(found: Cases) -> str:
    """The document."""
    lines = ["# Faults", "", "What was done to sweeps, and what happened (written by `docs/faults.py` from the tests).",
             "Numbers alone are exit codes.", "",
             "| # | fault | what happens | tests | of them passed |", "|---|---|---|---|---|"]  # fmt: skip
    for number, (fault, happens, names) in enumerate(FAULTS, start=1):
        cases = [case for name in names.split() for case in found.get(f"test_{name}", [("", "not run")])]
        files = ", ".join(f"`{file}`" for file in dict.fromkeys(file for file, _ in cases if file))
        hows = [how for _, how in cases]
        others = ", ".join(sorted({how for how in hows if how != "passed"}))
        passed = f"{hows.count('passed')} of {len(hows)}" + (f" ({others})" if others else "")
        lines.append(f"| {number} | {fault} | {happens} | {files} | {passed} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "faults.md").write_text(table(outcomes([Path(one) for one in sys.argv[1:]])))
