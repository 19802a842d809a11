"""Every command, with its help. Each imports its work late, the screen too.

So `--help` starts without rich, and `list` without markdown, numpy or torch.
"""
