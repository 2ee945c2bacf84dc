"""What is measured; each is run as ``python -m benchmarks.NAME``."""

import mnist_course as mnist_course  # before numpy and torch: it sets what their threads need
