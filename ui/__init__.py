"""Everything that knows Streamlit: the shell, state, caches, pickers, the lesson's frame and the components."""
