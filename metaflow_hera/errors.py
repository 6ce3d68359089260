"""Every error that metaflow_hera raises, in one tree.

    MetaflowHeraError
    |- UsageError             the input is wrong; nothing was done
    |  |- NotFoundError       no such deployment, run, step, task or attempt
    |  |- NotYoursError       somebody else deployed it, and its production token was not given
    |  |- NameTakenError      something else already has the name
    |  |- OptionError         an option is unknown, has an invalid value, or does not go with another
    |  |- FlowError           the flow cannot be loaded, linted or packaged
    |  |- UnsupportedError    a valid flow uses something that cannot be translated (yet)
    |  |- ParameterError      a value for one of the flow's Parameters does not fit
    |  `- ManifestError       an object that Argo would refuse
    |- ConfigurationError     a server, a folder or a setting cannot be used as configured
    |- ArgoError              Argo's server refused a call, or did not answer
    |  |- ArgoUnreachable     no answer: refused, timed out, TLS
    |  |  `- ArgoUnanswered   no answer to a write, which may have been done
    |  |- ArgoDenied          401 or 403
    |  |  `- ArgoTokenRefused  401: no token, or one that is not valid
    |  |- ArgoNotFound        404; also a NotFoundError
    |  |  `- ArgoEventsMissing  the cluster has no Argo Events
    |  |- ArgoConflict        409
    |  |- ArgoTooOld          a version of Argo that flows cannot be deployed to
    |  `- ArgoExpired         the rest of a list is no longer kept (410)
    |- LocalServerError       the embedded Argo could not be started, reached or stopped
    `- RunFailed              the run itself failed

Each message is one or two sentences: what happened, and what to do about it.
"""

from __future__ import annotations

LONGEST_QUOTED = 100
"""How many characters of a text that is wrong a message repeats."""


class MetaflowHeraError(Exception):
    """Base of all errors of this package.

    `exit_code` is the exit code of a command: 1 for a run that failed, 2 for
    input or an environment that must be corrected first.
    """

    exit_code = 2


class UsageError(MetaflowHeraError):
    """The input is wrong: correct it and call again. Nothing was done."""


class NotFoundError(UsageError):
    """There is no such deployment, run, step, task or attempt."""


class NotYoursError(UsageError):
    """Somebody else deployed it, and the production token that gives access to it was not given."""


class NameTakenError(UsageError):
    """Another flow's deployment, or an object that belongs to none, already has the name."""


class OptionError(UsageError):
    """An option is unknown, has an invalid value, or does not go with another one."""


class FlowError(UsageError):
    """The flow cannot be loaded, linted or packaged."""


class UnsupportedError(UsageError):
    """The flow is valid but uses something that cannot be translated."""


class ParameterError(UsageError):
    """A value given for a Parameter of the flow is missing, unknown or of the wrong type."""


class ManifestError(UsageError):
    """An object that Argo, or the embedded Argo, refuses; the message names the field."""


class ConfigurationError(MetaflowHeraError):
    """A server, a folder or a setting cannot be used as configured."""


class ArgoError(MetaflowHeraError):
    """Argo's server refused a call, or did not answer it."""


class ArgoUnreachable(ArgoError):
    """No answer from Argo's server: connection refused, time-out, or TLS."""


class ArgoUnanswered(ArgoUnreachable):
    """A write was sent, and its answer did not come or is none of Argo's: it may have been done."""


class ArgoDenied(ArgoError):
    """Argo's server answered 401 or 403."""


class ArgoTokenRefused(ArgoDenied):
    """Argo's server answered 401: it was sent no token, or one that is not valid."""


class ArgoNotFound(ArgoError, NotFoundError):
    """Argo's server answered 404: no such object, or no such namespace."""


class ArgoEventsMissing(ArgoNotFound):
    """Argo's server is there, and the cluster has no Argo Events."""


class ArgoConflict(ArgoError):
    """Argo's server answered 409: the object already exists, or was changed in the meantime."""


class ArgoTooOld(ArgoError):
    """The server is of a version of Argo that flows cannot be deployed to."""


class ArgoExpired(ArgoError):
    """The rest of a list, which Kubernetes keeps for some minutes, is gone (410): begin the list again."""


class LocalServerError(MetaflowHeraError):
    """The embedded Argo could not be started, reached or stopped."""


class RunFailed(MetaflowHeraError):
    """The run ended, but did not succeed."""

    exit_code = 1


def quoted(text: str) -> str:
    """A text for a message: in quotes, and of a long one its beginning."""
    return repr(text if len(text) <= LONGEST_QUOTED else f"{text[:LONGEST_QUOTED]}...")
