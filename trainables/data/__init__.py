"""Data sets, their splits, and batches for training."""

from trainables.data.augmentation import augment as augment
from trainables.data.augmentation import random_crop as random_crop
from trainables.data.batches import batches as batches
from trainables.data.batches import num_batches as num_batches
from trainables.data.config import DataConfig as DataConfig
from trainables.data.config import ExtraConfig as ExtraConfig
from trainables.data.config import LoadingConfig as LoadingConfig
from trainables.data.loading import load_data as load_data
from trainables.data.sets import DATASETS as DATASETS
from trainables.splits import Data as Data
from trainables.splits import Split as Split
from trainables.splits import TrainingSet as TrainingSet
