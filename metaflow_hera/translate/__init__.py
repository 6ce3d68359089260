"""From a loaded flow to the objects that Argo runs, written with Hera."""
