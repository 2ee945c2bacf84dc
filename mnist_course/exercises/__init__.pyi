from .judge import check as check
from .judge import check_solution as check_solution
from .judge import summary as summary
