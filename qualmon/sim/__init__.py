"""A simulated serving fleet over real HTTP: real sampling, planted faults, nothing random.

language -> speaker -> sampler (with faults) -> wire_chat -> server -> process, read in that
order. Nothing is imported here, so that naming the package costs nothing.
"""
