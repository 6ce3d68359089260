"""Every error that metaflow_hera raises, in one tree.

    MetaflowHeraError
    |- UsageError             the input is at fault; nothing was done
    |  |- NotFoundError       no such deployment, run, step, task or attempt
    |  |- NotYoursError       somebody else deployed it, and their production token is not given
    |  |- NameTakenError      something else has the name already
    |  |- OptionError         an option is unknown, or its value is, or it does not go with another
    |  |- FlowError           the flow cannot be loaded, linted or packaged
    |  |- UnsupportedError    a legal flow uses what cannot be translated (yet)
    |  |- ParameterError      a value given for a flow's Parameter does not fit
    |  `- ManifestError       an object that Argo would refuse
    |- ConfigurationError     the place to talk to, or a folder, is not usable as set
    |- ArgoError              Argo's server said no, or did not answer
    |  |- ArgoUnreachable     no answer: refused, timed out, TLS
    |  |- ArgoDenied          401 or 403
    |  |- ArgoNotFound        404; a NotFoundError as well
    |  `- ArgoConflict        409
    |- LocalServerError       the embedded Argo could not be started, reached or stopped
    `- RunFailed              the work itself failed

Each message is one or two sentences: what happened, and what to do about it.
"""

from __future__ import annotations


class MetaflowHeraError(Exception):
    """Base of all errors of this package.

    `exit_code` is what a command ends with: 1 for work that failed, 2 for
    input or surroundings that must be mended first.
    """

    exit_code = 2


class UsageError(MetaflowHeraError):
    """The input is at fault: correct it and call again. Nothing was done."""


class NotFoundError(UsageError):
    """There is no such deployment, run, step, task or attempt."""


class NotYoursError(UsageError):
    """Somebody else deployed it, and the production token that would let this user in is not given."""


class NameTakenError(UsageError):
    """Another flow's deployment, or an object that belongs to none, has the name already."""


class OptionError(UsageError):
    """An option is unknown, has a value that is not possible, or does not go with another one."""


class FlowError(UsageError):
    """The flow cannot be loaded, linted or packaged."""


class UnsupportedError(UsageError):
    """The flow is legal but uses something that is not translated."""


class ParameterError(UsageError):
    """A value given for a Parameter of the flow is missing, unknown or of the wrong type."""


class ManifestError(UsageError):
    """An object that Argo, or the embedded Argo, refuses; the message names the field."""


class ConfigurationError(MetaflowHeraError):
    """A server, a folder or a setting cannot be used as it is configured."""


class ArgoError(MetaflowHeraError):
    """Argo's server refused a call, or did not answer it."""


class ArgoUnreachable(ArgoError):
    """No answer from Argo's server: connection refused, time-out, or TLS."""


class ArgoDenied(ArgoError):
    """Argo's server answered 401 or 403."""


class ArgoNotFound(ArgoError, NotFoundError):
    """Argo's server answered 404: no such object, or no such namespace."""


class ArgoConflict(ArgoError):
    """Argo's server answered 409: the object exists already, or was changed meanwhile."""


class LocalServerError(MetaflowHeraError):
    """The embedded Argo could not be started, reached or stopped."""


class RunFailed(MetaflowHeraError):
    """The run ended, but not in success."""

    exit_code = 1
