"""A simulated serving fleet over real HTTP: real sampling, planted faults, nothing random.

language -> speaker -> sampler -> faults -> wires -> backend -> server -> serving, read in that
order. Nothing is imported here, so that naming the package costs nothing.
"""
