"""What runs inside the jail. Standard library only: neither the program's other packages nor
anything that was installed exists there."""
