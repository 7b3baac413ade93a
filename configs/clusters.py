"""Where the processes of a run are: on this machine, in a SLURM allocation, in Kubernetes pods."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.settings import NonNegative, Positive, Settings


class ClusterSettings(Settings):
    """What all kinds have."""

    device: Literal["cpu", "cuda"] = "cpu"
    """What the engines and the learner compute on."""
    nodes: Positive = 1
    """Machines."""
    devices_per_node: Positive = 8
    """GPUs of each machine."""
    placement: Literal["colocated", "split"] = "colocated"
    """colocated: learner and samplers take turns on the same GPUs, as the paper's do; split: the
    samplers have the GPUs after those of the learner."""
    device_kind: Literal["unknown", "a100_40", "a100_80", "h100_80", "h800_80", "h200_141"] = (
        "unknown"
    )
    """Which GPUs, for the plan: their memory and speed are in configs/devices.py."""
    host_memory_gib: Annotated[float, Field(ge=0.0)] = 0.0
    """Main memory of each machine, for the plan; 0: that of this machine on the CPU, not looked at
    on GPUs."""
    threads: NonNegative = 0
    """CPU threads of the phase that is running; 0: all cores."""
    rendezvous_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port where the learner ranks meet; 0: any free one."""
    start_timeout_s: Positive = 300
    """Longest wait for the actors to be ready."""
    step_timeout_s: Positive = 3600
    """Longest wait for any phase of a step; names who is late."""


class LocalCluster(ClusterSettings):
    """This machine."""

    kind: Literal["local"] = "local"
    """No scheduler."""


class SlurmCluster(ClusterSettings):
    """Machines that SLURM gives us. What is empty is left to the site's defaults."""

    kind: Literal["slurm"] = "slurm"
    """A job of sbatch, with Ray over its nodes."""
    partition: str = ""
    """Partition to queue in."""
    account: str = ""
    """Account that is charged."""
    time_limit: str = ""
    """Longest life of the job before it is queued again, as SLURM writes it: 24:00:00."""
    stop_before_s: Positive = 600
    """The run is asked to save so long before the time limit; longer than a step takes."""
    max_requeues: NonNegative = 20
    """Lives after the first one, whatever ended the life before."""
    cpus_per_node: NonNegative = 0
    """CPU cores to ask for on each node; 0: whole nodes with all their memory (--exclusive)."""
    sbatch: tuple[str, ...] = ()
    """Further lines for sbatch, such as ["--qos=long", "--constraint=ib"]."""
    srun: tuple[str, ...] = ()
    """Further options of each srun, such as pyxis' ["--container-image=r1.sqsh"]."""
    container: str = ""
    """Words in front of each command on a node, such as "apptainer exec --nv r1.sif"."""
    template: str = ""
    """A script of your own in place of launch/backends/slurm.sbatch."""
