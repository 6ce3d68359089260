"""The embedded Argo as its user sees it: start, stop, clean, open."""
