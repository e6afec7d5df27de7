"""The reference training program: DiLoCo on a byte-level transformer, one container run per subcommand.

A job reads as: `warm-up` once; then in each round W times `train`, once `reduce`, and `evaluate` whenever wanted.
Whoever audits it asks for one segment again (`replay`, from a state that `--segment-steps` kept), for the outputs that
follow from the last state (`finish`), and for how far a claim is from a replay (`compare`).
DiLoCo is Douillard et al. 2023, https://arxiv.org/abs/2311.08105.
"""
