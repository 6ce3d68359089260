"""What runs inside a pod: one process a task.

The bootstrap (in the manifest) unpacks the code package and goes on, in the same interpreter, into
`pod`. That process forks the task, stores its logs while it runs, and stays to tell how it ended.
"""
