"""What generators that ask models share: requests, answers, samples, prompts."""
