mod crontab;
