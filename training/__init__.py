"""Makes the learned models of `worker/policies/models`: data, training, calibration, export and evaluation."""
