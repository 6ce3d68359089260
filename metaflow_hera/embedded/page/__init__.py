"""The page of the embedded Argo: what a browser shows of it, on top of Argo's own REST API."""
