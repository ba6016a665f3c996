-- How often the work was taken and neither answered nor given back.
ALTER TABLE instances ADD COLUMN deliveries integer NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN deliveries integer NOT NULL DEFAULT 0;
