"""`doctor`: what this machine has and lacks, what each lack costs, and how to mend it."""
