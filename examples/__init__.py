"""Applications that evervec is made for; `make example NAME=…` runs one."""
