"""What is measured side by side: ours and others, each as real processes; one module each."""
