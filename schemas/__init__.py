"""What may leave a machine: the policy, the catalogue, the fields and the report models.

Nothing else in the project decides this. Clients ship the generated list of permits, the server
validates with these models, the database has these columns, DATA.md is written from them.
"""
