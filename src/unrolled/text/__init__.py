"""Text without any framework: corpora, vocabulary, n-gram baselines, sampling and novelty."""
