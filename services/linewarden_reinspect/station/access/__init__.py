"""Who may do what at the station: accounts, links, sign-in, permissions, and the log of every act."""
