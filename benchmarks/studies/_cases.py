"""What the readout study compares."""

OURS = {
    "rule='ridge'": {"rule": "ridge"},
    "Gaussian": {"rule": "gaussian"},
    "Gaussian, uniform": {"rule": "gaussian", "priors": "uniform"},
}
PEERS = ["air", "klda", "randumb", "ranpac", "fecam", "streaming_lda", "nearest_mean"]
PEERS += ["lda", "joint", "logistic", "neighbors"]  # these keep all samples
CASES = ["all", "1:5", "1:20", "1:100", "1", "2", "5", "20"]
NATURAL = ["1:5", "1:20", "1:100"]
