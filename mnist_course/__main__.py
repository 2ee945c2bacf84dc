"""Let ``python -m mnist_course`` call the command line."""

from mnist_course.cli import main

main(prog_name="python -m mnist_course")
