"""What runs inside a pod: one process for each task.

The bootstrap (in the manifest) unpacks the code package and continues, in the same interpreter, with
`pod`. That process forks the task, stores its logs while it runs, and reports how it ended.
"""
