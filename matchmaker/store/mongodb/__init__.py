"""The store for many machines, part by part; matchmaker/store/mongo.py puts them together."""
