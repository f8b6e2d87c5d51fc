from .drawing import plot_accuracy_latency as plot_accuracy_latency
from .multiply_adds import count_multiply_adds as count_multiply_adds
from .result import BenchmarkResult as BenchmarkResult
from .running import run_benchmark as run_benchmark
from .summary import pareto_front as pareto_front
