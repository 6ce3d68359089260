"""The small languages inside a manifest: `depends`, `when`, and `{{...}}`."""
