"""HTTP in and out: endpoints, forms, cookies, errors, the URL table. Decides nothing about OAuth."""
