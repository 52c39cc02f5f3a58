"""A camera's store on disk: what is fsynced here is taken and is not lost by a broker or a process that dies."""
