"""Citations that several modules use."""

TUTORIAL = "LeCun, Chopra, Hadsell, Ranzato, Huang, A Tutorial on Energy-Based Learning (2006)"
LECTURE = "Canziani & LeCun, NYU Deep Learning, lecture Energy-Based Models"
