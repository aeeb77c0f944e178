"""Speed: ratios against a lower bound or a peer, measured in one run, written to docs/performance.md by the command
that measured them."""
