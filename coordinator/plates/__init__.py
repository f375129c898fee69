"""Background plates of cameras: wished for, answered by boxes, shown to whoever draws lines."""
