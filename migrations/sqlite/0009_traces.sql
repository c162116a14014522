-- Of which trace a job is: the `traceparent` of the request for it. Null where traces are not kept, and for the
-- scheduler's jobs, whose trace follows from their id.
ALTER TABLE jobs ADD COLUMN traceparent TEXT;
