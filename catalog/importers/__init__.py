"""Where facts about models come from: price lists, leaderboards, model cards and operators' files."""
