"""Pictures as the Dagster UI shows them."""

import base64


def picture(svg: str) -> str:
    """Markdown that shows an SVG; written into Markdown as it is, it would be left out."""
    return f"![](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
