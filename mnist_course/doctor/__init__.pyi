from .checks import CHECKS as CHECKS
from .finding import Finding as Finding
from .program import CannotLook as CannotLook
from .program import Program as Program
from .program import load_program as load_program
from .report import Report as Report
from .report import examine as examine
from .report import examine_program as examine_program
