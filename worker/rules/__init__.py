"""Rules: from the TOML that an analyst writes to what matching reads."""

from worker.rules.compile import compile_rules
from worker.rules.patterns import called
from worker.rules.ruleset import Exclusion, Rule, RuleSet, Score, Test, Weight

__all__ = ["Exclusion", "Rule", "RuleSet", "Score", "Test", "Weight", "called", "compile_rules"]
