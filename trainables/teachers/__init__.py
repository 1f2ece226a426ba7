"""Teachers: trained or loaded once, stored by the hash of what made them, shared by all trials."""

from trainables.teachers.pairs import check_pair as check_pair
from trainables.teachers.preparing import PreparedTeacher as PreparedTeacher
from trainables.teachers.preparing import check_teacher as check_teacher
from trainables.teachers.preparing import forget_teachers as forget_teachers
from trainables.teachers.preparing import load_teacher as load_teacher
from trainables.teachers.preparing import load_teachers as load_teachers
from trainables.teachers.preparing import prepare_teacher as prepare_teacher
from trainables.teachers.preparing import teacher_files as teacher_files
from trainables.teachers.preparing import teacher_path as teacher_path
from trainables.teachers.sources import network_from_file as network_from_file
from trainables.teachers.stored import prepared_network as prepared_network
