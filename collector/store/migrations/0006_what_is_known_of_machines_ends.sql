-- A collector that has not been heard of for so long is not waited for any more: one that runs says so every few seconds.
ALTER TABLE private.nodes MODIFY TTL at + INTERVAL 400 DAY;

-- A backstop: the publisher deletes a quarter's fingerprint once nothing that was made under its pepper is left.
ALTER TABLE private.peppers MODIFY TTL noted_on + INTERVAL 400 DAY;
