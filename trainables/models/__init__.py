"""Students and teachers: timm's registry is the registry, ours are registered there."""

from trainables.models.cost import Cost as Cost
from trainables.models.cost import cost as cost
from trainables.models.cost import latency_ms as latency_ms
from trainables.models.double_backward import allow_double_backward as allow_double_backward
from trainables.models.double_backward import (
    require_double_backward as require_double_backward,
)
from trainables.models.factory import check_architecture as check_architecture
from trainables.models.factory import create_network as create_network
from trainables.models.factory import known_architectures as known_architectures
from trainables.models.network import Network as Network
from trainables.models.network import Output as Output
from trainables.models.network import computing_in as computing_in
from trainables.models.network import frozen as frozen
from trainables.models.network import module_mode as module_mode
from trainables.models.network import statistics_of_now as statistics_of_now
from trainables.models.network import untracked as untracked
from trainables.models.pretrained import check_pretrained as check_pretrained
from trainables.models.taps import Layer as Layer
from trainables.models.taps import Tap as Tap
