"""Where facts about models come from: price lists, operators' files and servers that say what they serve."""
