"""The monitoring of a forecaster in service: is it still better than seasonal naive?"""
