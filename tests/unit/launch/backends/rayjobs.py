"""Settings of runs on Kubernetes for the tests."""

from __future__ import annotations

from functools import cache

from configs.compose import load_config
from configs.schema import RunConfig

PLAIN = ("cluster=kubernetes", "cluster.image=registry.example.com/r1:1", "cluster.runs_claim=runs")
GPUS = (
    "cluster=kubernetes_gpu",
    "cluster.image=registry.example.com/r1:1-gpu",
    "cluster.runs_claim=runs",
    "cluster.more_claims={models: /models, data: /data}",
    "cluster.namespace=training",
    "cluster.node_selector={nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}",
    "cluster.tolerations=[nvidia.com/gpu:NoSchedule, 'team=rl:NoExecute']",
    "cluster.image_pull_secrets=[registry]",
    "cluster.secrets=[wandb, hf]",
    "cluster.env={NCCL_SOCKET_IFNAME: eth0}",
    "cluster.priority_class=high",
    "cluster.queue=rl",
    "model=folder",
    "model.path=/models/qwen2.5-7b",
    "data=gsm8k",
    "data.path=/data/gsm8k_train.jsonl",
    "run_dir=runs/qwen",
    "learner.ranks=8",
    "rollout.samplers=8",
)
GOLDEN = {
    "cpu": PLAIN,
    "gpu_kueue": GPUS,
    "restricted_volcano": (
        *PLAIN,
        "cluster.submission=K8sJobMode",
        "cluster.queue=rl",
        "cluster.queue_kind=volcano",
        "cluster.priority_class=high",
    ),
}
"""Name of the golden file -> settings."""


@cache
def load(*words: str) -> RunConfig:
    return load_config(["recipe=r1_zero", *words])
