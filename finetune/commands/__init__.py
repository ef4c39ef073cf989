"""Commands of `viva-finetune`, one a file; what they do lives beside this folder."""
