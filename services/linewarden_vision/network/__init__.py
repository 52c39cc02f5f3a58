"""Defect networks behind one interface: pictures in, one named record out."""
