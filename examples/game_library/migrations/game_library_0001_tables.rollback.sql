drop table achievements;
drop table collection_games;
drop table collections;
drop table user_games;
drop table users;
drop table game_genres;
drop table genres;
drop table games;
