"""Texts that would do harm on a page that forgets to escape: each would set `window.harmed`, ask with a dialog, or fetch something."""

_SCRIPTS = ("window.harmed=1", "alert(1)", "fetch('http://127.0.0.1:9/x')", "document.body.innerHTML='harmed'")
_SHAPES = (
    "<script>{0}</script>",
    '<img src=x onerror="{0}">',
    '<svg onload="{0}"></svg>',
    '"><script>{0}</script>',
    "'><img src=x onerror='{0}'>",
    "</pre><script>{0}</script>",
    "</textarea><script>{0}</script>",
    "</title><script>{0}</script>",
    "</style><script>{0}</script>",
    "--><script>{0}</script>",
    "javascript:{0}",
    "data:text/html,<script>{0}</script>",
    '" onmouseover="{0}" autofocus onfocus="{0}" x="',
    "' autofocus onfocus='{0}' x='",
    '<iframe srcdoc="<script>parent.{0}</script>"></iframe>',
    '<body onload="{0}">',
    '<details open ontoggle="{0}">',
    '<math><mtext></form><form><mglyph><style></math><img src onerror="{0}">',
    '<a href="javascript:{0}" autofocus onfocus="{0}">x</a>',
    "<style>@import 'http://127.0.0.1:9/x'</style><link rel=stylesheet href=http://127.0.0.1:9/x>",
    "{{{{ 7 * 7 }}}}{{% include 'x' %}}<script>{0}</script>",
    "<base href=http://127.0.0.1:9/><script src=x></script>",
    '<meta http-equiv=refresh content="0;url=http://127.0.0.1:9/">',
    "\u202e<script>{0}</script>\u202c",
    "<scr\x00ipt>{0}</scr\x00ipt>",
    '\ufeff<object data="javascript:{0}"></object>',
)

PAYLOADS = tuple(shape.format(script) for script in _SCRIPTS for shape in _SHAPES)
