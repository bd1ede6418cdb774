"""AiiDA's storage on PostgreSQL and its broker RabbitMQ, with daemon workers that outlive the servers' absence."""
