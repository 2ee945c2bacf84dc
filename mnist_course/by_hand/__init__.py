"""What the course writes by hand to be understood: numpy only, each proved equal to PyTorch's."""
